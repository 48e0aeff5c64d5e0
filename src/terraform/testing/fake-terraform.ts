/** A program that plays back what a real terraform printed (`__fixtures__`), and writes down how it was called. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TerraformProgram } from '../program.ts'

export interface FakeTerraform {
  readonly program: TerraformProgram
  /** For the driver: tells the program where it is. */
  readonly env: Readonly<Record<string, string>>
  /** From now on `verb` prints this recording and ends with this code. */
  answer(verb: string, recording: string, exitCode?: number): Promise<void>
  /** `verb` goes on until it gets SIGINT, or the file `release` in the folder is there. */
  hang(verb: string): Promise<void>
  /** The command lines so far. */
  calls(): Promise<readonly string[]>
  readonly folder: string
}

const SCRIPT = `#!/bin/sh
# $FAKE_FOLDER/VERB.out is printed, VERB.code is the exit code, VERB.once replaces both for one call, VERB.hang waits for SIGINT.
verb=$1
echo "$*" >>"$FAKE_FOLDER/calls"
if [ -e "$FAKE_FOLDER/$verb.hang" ]; then
  trap 'echo interrupted >>"$FAKE_FOLDER/interrupts"; cat "$FAKE_FOLDER/$verb.out" 2>/dev/null; exit 1' INT
  : >"$FAKE_FOLDER/$verb.started"
  until [ -e "$FAKE_FOLDER/release" ]; do sleep 0.05; done
fi
for word in "$@"; do
  case $word in -out=*) printf 'plan %s' "$*" >"\${word#-out=}" ;; esac
done
if [ -e "$FAKE_FOLDER/$verb.once" ]; then
  cat "$FAKE_FOLDER/$verb.once"
  code=$(cat "$FAKE_FOLDER/$verb.once.code")
  rm "$FAKE_FOLDER/$verb.once"
  exit "$code"
fi
[ ! -e "$FAKE_FOLDER/$verb.out" ] || cat "$FAKE_FOLDER/$verb.out"
[ ! -e "$FAKE_FOLDER/$verb.code" ] || exit "$(cat "$FAKE_FOLDER/$verb.code")"
`

/** Makes the program in `folder`. Verbs that have no answer succeed silently. */
export async function fakeTerraform(folder: string): Promise<FakeTerraform> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, 'terraform')
  await writeFile(path, SCRIPT)
  await chmod(path, 0o755)
  return {
    folder,
    program: { path, name: 'terraform', version: '1.11.4' },
    env: { FAKE_FOLDER: folder },
    async answer(verb, text, exitCode = 0) {
      await writeFile(join(folder, `${verb}.out`), text)
      await writeFile(join(folder, `${verb}.code`), String(exitCode))
    },
    hang: (verb) => writeFile(join(folder, `${verb}.hang`), ''),
    calls: async () => (await readFile(join(folder, 'calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  }
}

/** `verb` gives this once, then what `answer` said. */
export async function answerOnce(fake: FakeTerraform, verb: string, text: string, exitCode: number): Promise<void> {
  await writeFile(join(fake.folder, `${verb}.once.code`), String(exitCode))
  await writeFile(join(fake.folder, `${verb}.once`), text)
}

/** What a real terraform printed. */
export async function recording(name: string): Promise<string> {
  return readFile(fileURLToPath(new URL(`../__fixtures__/${name}`, import.meta.url)), 'utf8')
}
