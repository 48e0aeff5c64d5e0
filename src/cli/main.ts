/** The command line. Each verb's module is small; what a verb needs is loaded when it runs. */
import { Command, CommanderError } from 'commander'
import { kilnVersion } from '../app/version.ts'
import { addCloudCommands } from './commands/cloud.ts'
import { addDeliveryCommands } from './commands/delivery.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addStackCommands } from './commands/stack.ts'
import { addImportCommand } from './commands/import.ts'
import { addImageCommands } from './commands/image.ts'
import { addSynthCommand } from './commands/synth.ts'
import { addReleaseCommands } from './commands/releases.ts'
import { addVmCommands } from './commands/vm.ts'
import { splitAtDashes } from './define-command.ts'

const program = new Command('kiln')
  .description('Delivers a Python server as golden VM images: on a pocket cloud on this machine, or on Google Cloud.')
  .version(kilnVersion)
  .showHelpAfterError('(add --help for the options)')
  .enablePositionalOptions()
  .exitOverride()

addStackCommands(program)
addImageCommands(program)
addReleaseCommands(program)
addVmCommands(program)
addCloudCommands(program)
addSynthCommand(program)
addDeliveryCommands(program)
addDoctorCommand(program)
addImportCommand(program)

try {
  await program.parseAsync([...splitAtDashes(process.argv).before])
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // Commander has printed its message; help and version are successes.
  process.exitCode = error.exitCode === 0 ? 0 : 2
}
