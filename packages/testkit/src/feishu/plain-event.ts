export interface PlainEvent {
  readonly uuid: string
  /** The app's verification token. */
  readonly token: string
  /** When it was made, milliseconds since the Unix epoch. */
  readonly epochMs: number
  /** With its `app_id` and its `type`. */
  readonly event: Readonly<Record<string, unknown>>
}

/** The body of an event as the platform sends it where no encryption is set up. */
export function plainEvent({ uuid, token, epochMs, event }: PlainEvent): string {
  return JSON.stringify({ ts: (epochMs / 1_000).toFixed(6), uuid, token, type: 'event_callback', event })
}
