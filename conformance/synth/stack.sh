# Sourced by the cases: a stack with every section, in this folder, and its generated files.
. "$ROOT/conformance/terraform/provider.sh"
export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1

# synthesise: examples/moshi with the sections that it leaves out, as the files of a team.
synthesise() {
  cp -r "$ROOT/examples/moshi/." .
  cp "$CLIENT/kiln.config.ts" kiln.config.ts
  "$KILN" synth
}

# tf COMMAND...: Terraform on the root module; its last lines when it fails.
tf() {
  terraform -chdir=ops/terraform "$@" -no-color >tf.log 2>&1 || {
    tail -60 tf.log >&2
    return 1
  }
}

# plan_is CODE WHAT [ARGUMENTS]: 0 is an empty plan, 2 one with changes.
plan_is() {
  local wanted=$1 what=$2 code=0
  shift 2
  terraform -chdir=ops/terraform plan -no-color -detailed-exitcode "$@" >plan.log 2>&1 || code=$?
  [ "$code" = "$wanted" ] || {
    echo "$what: plan ended with $code, not $wanted" >&2
    cat plan.log >&2
    exit 1
  }
}

# An image of the family that boots nothing: where no case looks into the VM.
empty_image() {
  local compute=https://compute.googleapis.com/compute/v1/projects/$PROJECT
  truncate -s 1G disk.raw
  tar --format=gnu -Sczf empty.tar.gz disk.raw
  rm disk.raw
  curl -sS --fail-with-body -X POST -H "Authorization: Bearer $(owner_token)" --data-binary @empty.tar.gz "https://storage.googleapis.com/upload/storage/v1/b/$PROJECT-kiln-images/o?uploadType=media&name=empty.tar.gz" >/dev/null
  api POST "$compute/global/images" "{\"name\":\"moshi-srv-1\",\"family\":\"moshi-srv\",\"rawDisk\":{\"source\":\"https://storage.googleapis.com/storage/v1/b/$PROJECT-kiln-images/o/empty.tar.gz\"}}" >/dev/null
  wait_for 'the image' bash -c ". \"\$LIB\"; api GET $compute/global/images/family/moshi-srv | grep -q '\"READY\"'"
  curl -sS --fail-with-body -X DELETE -H "Authorization: Bearer $(owner_token)" "https://storage.googleapis.com/storage/v1/b/$PROJECT-kiln-images/o/empty.tar.gz"
}

# state_bucket: what ops/bootstrap.sh makes with gcloud.
state_bucket() {
  api POST "https://storage.googleapis.com/storage/v1/b?project=$PROJECT" "{\"name\":\"$PROJECT-kiln-state\",\"location\":\"$REGION\",\"versioning\":{\"enabled\":true},\"iamConfiguration\":{\"uniformBucketLevelAccess\":{\"enabled\":true}}}" >/dev/null
}
