/** Every error code of Kiln, grouped by who must act. docs/errors.md explains each; a test compares the two. */
export const errorCodes = {
  // The machine.
  E_TOOL_MISSING: 'a program that this step needs is not installed',
  E_TOOL_FAILED: 'a program that Kiln ran ended with an error',
  E_DISK_FULL: 'the data folder has too little room for this step',
  E_PORT_TAKEN: 'a TCP port that was asked for is in use',
  E_NETWORK: 'a host could not be reached',
  E_ACCELERATOR: 'no QEMU accelerator boots a kernel on this machine',
  // The data folder.
  E_DATA_NEWER: 'the data folder was written by a newer Kiln',
  E_DATA_BROKEN: 'a file in the data folder cannot be read',
  E_LOCKED: 'another Kiln process holds the lease',
  // The config.
  E_CONFIG_NOT_FOUND: 'there is no kiln.config.ts where one was expected',
  E_CONFIG_SYNTAX: 'the config cannot be loaded',
  E_CONFIG_INVALID: 'the config has an unknown key, a wrong type or a value that is not allowed',
  E_CONFIG_CYCLE: 'images depend on each other in a circle',
  E_FILE_FOREIGN: 'a file that Kiln would write is there and was not written by Kiln',
  // The user's Python package.
  E_PACKAGE_INVALID: 'the Python project cannot be published as it is',
  E_PACKAGE_BUILD: 'building the wheel failed',
  E_PACKAGE_EXISTS: 'this version is already published with other bytes',
  // Images and VMs.
  E_BAKE: 'an image could not be baked',
  E_LOCK_STALE: 'kiln.lock does not fit the config or the archive',
  E_BOOT_TEST: 'the image did not become healthy in its boot test',
  E_VM: 'a virtual machine could not be started or died',
  E_NOT_HEALTHY: 'the server did not answer its health path in time',
  // The cloud.
  E_CLOUD_NOT_RUNNING: 'the pocket cloud is not running',
  E_CLOUD_START: 'the pocket cloud could not start',
  E_API: 'a Google API call failed',
  E_PERMISSION: 'the caller lacks a permission',
  E_OPERATION: 'a long-running operation ended with an error',
  E_TIMEOUT: 'a condition did not come true before its deadline',
  E_QUOTA: 'a quota of the project does not allow the change',
  E_BILLING: 'the project has no open billing account',
  E_EXISTS: "the thing to be made exists already and is not the stack's",
  E_PREFLIGHT: 'something that the run needs is missing; nothing was changed',
  // Terraform.
  E_TERRAFORM: 'Terraform refused the files or failed',
  E_STATE_LOCKED: 'another run holds the lock of the Terraform state',
  E_PLAN_STALE: 'what would be changed is no longer what was shown',
  // Releases.
  E_RELEASE_FAILED: 'a release did not pass its gates',
  E_RELEASE_REFUSED: 'a release cannot be rolled out or brought back as asked',
  E_FROZEN: 'releases are frozen at this time',
  // Pipelines and their triggers.
  E_PIPELINE: 'a pipeline did not pass, or cannot run',
  E_REMOTE: 'the git remote cannot be set up or reached',
  // The command line.
  E_USAGE: 'the command line is not valid',
  E_CANCELLED: 'the command was cancelled',
  E_NOT_CONFIRMED: 'the change needs a yes and there is no terminal to ask on',
  E_NOT_FOUND: 'the named thing does not exist',
  E_PLAN: 'the desired resources do not form a valid plan',
  E_APPLY: 'one or more changes failed',
} as const

export type ErrorCode = keyof typeof errorCodes
