/** What the baker takes and gives. Everything here is plain data, so that keys can be computed from it. */

/** One Debian package at one version, as `kiln.lock` pins it. */
export interface LockedDebianPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** SHA-256 of the .deb, from the archive's signed index. */
  readonly sha256: string
}

/** One wheel, by hash, from the private index. */
export interface LockedWheel {
  /** Normalised name (PEP 503). */
  readonly name: string
  readonly version: string
  readonly fileName: string
  readonly sha256: string
}

/** The content of `kiln.lock`: written by the baker, committed by the user. */
export interface LockFile {
  readonly version: 1
  readonly images: Readonly<Record<string, LockedImage>>
}

export interface LockedImage {
  /** Digest of what was asked for (suite, package names, wheel names); another digest means: resolve again. */
  readonly request: string
  readonly debian: readonly LockedDebianPackage[]
  readonly wheels: readonly LockedWheel[]
}

/** An image made from a Debian suite. */
export interface BaseImageSpec {
  readonly type: 'base'
  readonly name: string
  readonly suite: 'bullseye' | 'bookworm' | 'trixie'
  /** Debian packages beside those that every image has (kernel, systemd, ssh, guest agent). */
  readonly packages: readonly string[]
}

/** An image made on top of another image. */
export interface ServerImageSpec {
  readonly type: 'server'
  readonly name: string
  readonly from: BaseImageSpec | ServerImageSpec
  /** Debian packages beside those of `from`. */
  readonly packages: readonly string[]
  /** Wheels to install in the image's virtual environment, exact. */
  readonly wheels: readonly LockedWheel[]
  /** Files to put in: absolute path in the image -> bytes and mode. */
  readonly files: readonly ImageFile[]
  /** The account the server runs as; made in the image, without login. */
  readonly user: string
  /** Absolute path in the image of what systemd starts. */
  readonly entrypoint: string
  readonly port: number
  readonly environment: Readonly<Record<string, string>>
}

export interface ImageFile {
  readonly path: string
  /** File on this machine. */
  readonly source: string
  readonly sha256: string
  readonly mode: number
}

export type ImageSpec = BaseImageSpec | ServerImageSpec

/** Where pip inside the image's root finds the private index. The token is passed by environment or file, never on a command line or into the image. */
export interface PrivateIndex {
  /** For example http://127.0.0.1:PORT/us-central1-python.pkg.dev/moshi-3/pypi/simple/ */
  readonly url: string
  readonly accessToken: () => Promise<string>
}

/** Every input of an image's key, named, so that two keys can be compared and explained. */
export type KeyInputs = Readonly<Record<string, string>>

export interface ImageKey {
  /** SHA-256 over the canonical JSON of `inputs`, hex. */
  readonly key: string
  readonly inputs: KeyInputs
}

/** The result of a bake, also kept beside the disk as `manifest.json`. */
export interface BakedImage {
  readonly name: string
  readonly key: ImageKey
  /** Path of the raw disk on this machine. */
  readonly diskPath: string
  /** SHA-256 of the raw disk's bytes, `sha256:HEX`. */
  readonly digest: string
  readonly sizeBytes: number
  readonly debian: readonly LockedDebianPackage[]
  readonly wheels: readonly LockedWheel[]
  /** True when nothing had to be done. */
  readonly cached: boolean
  /** Wall time of each step, in order, in milliseconds. */
  readonly durations: readonly { readonly step: string; readonly durationMs: number }[]
}

/** Why a key is not the previous one: "wheel moshi-server 0.1.0 -> 0.2.0", "file /opt/moshi/entrypoint.sh changed". Empty: same key. */
export type KeyChanges = readonly string[]

/** What a boot test saw. */
export interface BootTestReport {
  readonly healthy: boolean
  readonly bootMs: number
  readonly url: string
  /** The last answers of the health path, newest last: "connection refused", "503 {…}", "200 ok". */
  readonly answers: readonly string[]
  readonly serialTail: string
}
