/** Started by the VM tests as a process of its own: starts a machine, says so, and waits to be killed. */
import { kilnHome } from '../../host/home.ts'
import type { VmSpec } from '../driver.ts'
import { createQemuDriver } from '../qemu/driver.ts'

const [folder = '', home = '', spec = '', announce] = process.argv.slice(2)
// A killed starter is the point of the test; this keeps it from ending by itself before.
const alive = setInterval(() => {}, 60_000)
process.once('disconnect', () => clearInterval(alive))
if (announce === 'announce') process.send?.('starting')
await createQemuDriver({ home: kilnHome({ KILN_HOME: home }) }).start(folder, JSON.parse(spec) as VmSpec)
if (announce !== 'announce') process.send?.('started')
