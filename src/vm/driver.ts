/**
 * What the rest of Kiln knows of virtual machines. `qemu/` implements it with real machines, `fake/` in memory for unit tests;
 * the same life-cycle suite runs over both.
 *
 * A VM has a folder. Everything about it that must outlive the process that started it lies there (spec, QMP socket path,
 * pid with start time, serial log, UEFI variables), so that another process can adopt it.
 */

export interface VmDisk {
  /** Absolute path of the disk file. The driver opens it for writing. */
  readonly path: string
  readonly format: 'raw' | 'qcow2'
  /** Shown in the guest as /dev/disk/by-id/google-NAME. */
  readonly deviceName: string
  readonly boot: boolean
  /** Writes go to a temporary file and are dropped when the machine ends (used by boot tests). */
  readonly discardWrites?: boolean
}

export interface PortForward {
  readonly protocol: 'tcp' | 'udp'
  /** A loopback address: 127.0.0.0/8. Every VM has one of its own, which is its external address. */
  readonly hostAddress: string
  readonly hostPort: number
  readonly guestPort: number
}

export interface VmSpec {
  /** Unique among the VMs of one data folder; also the process's visible name. */
  readonly name: string
  readonly cpus: number
  readonly memoryMib: number
  readonly disks: readonly VmDisk[]
  /** The guest's own address, for example 10.128.0.7, inside `subnetCidr`. */
  readonly internalAddress: string
  readonly subnetCidr: string
  readonly macAddress: string
  readonly forwards: readonly PortForward[]
  /** Unix socket on which a `MetadataServer` answers for this VM; undefined: no metadata address in the guest. */
  readonly metadataSocket?: string
  /** Unix socket that takes TLS connections for Google's hosts; the guest reaches it at the metadata address, port 443. Needs `metadataSocket`. */
  readonly googleSocket?: string
  /** False: the guest reaches nothing but its forwards' peers and the metadata server. */
  readonly outbound: boolean
  /** The machine ends at once when the process that started it dies, however it dies. For machines that nobody adopts: boot tests. */
  readonly tiedToStarter?: boolean
  /** Host name that DHCP offers to the guest; undefined: none. */
  readonly hostname?: string
}

export type VmState =
  | { readonly status: 'running' }
  | { readonly status: 'stopped'; /** "guest power-off", "killed (SIGKILL)", "QEMU ended with exit code 1: …" */ readonly reason: string; readonly clean: boolean }

/** A machine that runs, or ran, in its folder. */
export interface Vm {
  readonly folder: string
  readonly spec: VmSpec
  readonly pid: number
  state(): Promise<VmState>
  /** Resolves when the machine is no longer running, with how it ended. */
  waitStopped(signal?: AbortSignal): Promise<VmState & { status: 'stopped' }>
  /** ACPI power button; after `graceMs` the machine is ended hard. Returns when it is gone. */
  stop(graceMs: number): Promise<void>
  /** Ends the machine at once. */
  kill(): Promise<void>
  /** Hard reset, as the reset button. */
  reset(): Promise<void>
  /** Adds and removes forwards so that the given set holds. Connections through kept forwards are not cut. */
  setForwards(forwards: readonly PortForward[]): Promise<void>
  /** Serial port 1 from a byte offset on: what is there now. `nextOffset` continues; `startOffset` is where the text really begins. */
  readSerial(startOffset: number, maxBytes?: number): Promise<SerialChunk>
}

export interface SerialChunk {
  readonly text: string
  readonly startOffset: number
  readonly nextOffset: number
}

/** The files of a memory snapshot. They belong together with the disk as it was at that moment, which its owner keeps. */
export interface SnapshotFiles {
  /** The guest's memory. Machines that begin with it share its pages until they write: it may be removed while they run, never changed. */
  readonly memory: string
  /** All else: devices and processors. */
  readonly state: string
}

export interface StartOptions {
  /**
   * Goes on from this snapshot instead of booting. Processors, memory, disks and whether there is a metadata server are those of the snapshot's machine, and the disks
   * copies of what it left. The guest takes the name, addresses, clock and random
   * numbers of this machine before its network comes up; `start` returns then. The machine of the folder must have no past.
   */
  readonly snapshot?: SnapshotFiles
  /** A line for the serial log, before what the machine says. */
  readonly note?: string
}

/** The machine of which a snapshot is made. */
export interface SeedMachine {
  /** Processor time that it had so far, which says how far it is on a host that is busy as well. */
  processorMs(): Promise<number>
  /** Somebody waits for it: from now on it gives way to nobody. */
  hurry(): Promise<void>
}

export interface MakeOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  readonly onBegun?: (machine: SeedMachine) => void
}

/** The ability to begin machines from memory. A driver that has it makes snapshots that only itself, of the same `fingerprint`, understands. */
export interface Snapshots {
  /** Hash of all that a snapshot depends on besides disk, processors and memory: versions, accelerator, how machines are put together. */
  fingerprint(): Promise<string>
  /**
   * Boots a machine with the disks, processors and memory of `spec` in `folder`, on networks that lead nowhere, until its guest waits to be told who it is; then saves its memory and ends it.
   * The machine ends with this process, in whatever way that ends. It gives way to other machines. Gives the processor time that it took. Guests that know nothing of snapshots never get there.
   * @throws KilnError E_VM when the guest does not get there within `timeoutMs`; the abort reason. `files` are then gone.
   */
  make(folder: string, spec: VmSpec, files: SnapshotFiles, options: MakeOptions): Promise<{ readonly processorMs: number }>
}

export interface VmDriver {
  readonly id: string
  /**
   * Starts a machine in `folder` (made if needed). Repeatable: if that folder's machine already runs with the same spec, it is returned; one that was cut off while it began
   * from a snapshot is brought to its end.
   * The machine outlives this process.
   * @throws KilnError E_TOOL_MISSING, E_ACCELERATOR, E_PORT_TAKEN, E_VM (with the last serial lines and QEMU's own words). No machine runs then, also when it could not
   *   go on from a snapshot; its disk may have been written to.
   */
  start(folder: string, spec: VmSpec, signal?: AbortSignal, options?: StartOptions): Promise<Vm>
  /** The machine of a folder: running or stopped; undefined if none was ever started there. */
  open(folder: string): Promise<Vm | undefined>
  /** Absent: every machine boots. */
  readonly snapshots?: Snapshots
}
