# Sourced by every case: `. "$CLIENT/start.sh"` after lib.sh. run_case NAME: runs its module beside the installed ones.
run_case() {
  ln -s "$TOOLS/firebase/node_modules" node_modules
  cp "$CASE/$1.mjs" .
  "$NODE" "$1.mjs"
}
