/** How long work tells what it does. Rendering is the caller's matter; below the CLI nothing prints. */
export interface Progress {
  /** A line about what happens now: "installing 112 Debian packages". */
  note(text: string): void
}

export const silentProgress: Progress = { note: () => {} }
