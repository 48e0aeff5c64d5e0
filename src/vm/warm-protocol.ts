/**
 * What the VM driver and the guest of an image agree on for warm starts: `src/image/recipe/warm-start.ts` is the guest's side, `qemu/identity.ts` the driver's.
 * A change of meaning is a new version in `seedReady` and in `warmPartition`, so that neither side meets one that it does not know.
 */

/** PCI slot, on the root bus, of the port on which a guest is told who it is: it looks there. Nothing else of QEMU's q35 uses it. */
export const warmSlot = '0x1b'

/** Name of the port. */
export const warmPort = 'kiln.warm'

/** Asset tag of the machine that a snapshot is made of: by it the guest knows that it is to stop before it becomes anybody. */
export const seedMark = 'kiln-seed'

/** What such a guest says on the port when it waits to be told who it is. */
export const seedReady = 'ready 1'

/** What a guest that went on says on its serial port when it has its identity; ` as HOSTNAME` follows. */
export const identityTaken = 'kiln: this machine goes on from a snapshot'

/** Name of the EFI partition of disks whose guest knows all this. Whoever has only the bytes of a disk can tell by it. */
export const warmPartition = 'kiln-esp-warm1'
