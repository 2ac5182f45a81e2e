import type { Mutation } from '../mutation.ts'

const CLIENTS = 'packages/core/src/feishu/clients'
const tests = (...names: readonly string[]) => names.map((name) => `packages/core/test/feishu-clients/${name}.test.ts`)

const unplayed = 'No process that is simulated calls an API of the platform.'

/** Of the HTTP clients: where a token goes, and how often a request is sent. */
export const clients: readonly Mutation[] = [
  {
    name: 'domain-by-its-beginning',
    file: `${CLIENTS}/auth.ts`,
    find: '.baseUrl}/`',
    replace: '.baseUrl}`',
    breaks: 'A token goes to every host whose name begins like the domain of the app.',
    unit: tests('origin'),
    unplayed,
  },
  {
    name: 'path-as-an-address',
    file: `${CLIENTS}/auth.ts`,
    find: 'return URL.canParse(text) ? new URL(text) : undefined',
    replace: 'return URL.canParse(path, from) ? new URL(path, from) : undefined',
    breaks: 'Where a request goes is taken from a path that looks like a host.',
    unit: tests('origin'),
    unplayed,
  },
  {
    name: 'own-authorization-overruled',
    file: `${CLIENTS}/auth.ts`,
    find: "hasHeader(headers, 'authorization') ? undefined : ",
    replace: '',
    breaks: 'A request that brings its own token is sent with another.',
    unit: tests('origin'),
    unplayed,
  },
  {
    name: 'token-of-another-app',
    file: `${CLIENTS}/auth.ts`,
    find: 'if (handle.key.startsWith(scope)) return handle',
    replace: 'if (scope) return handle',
    breaks: 'The token of one app is sent as that of another.',
    unit: tests('options'),
    unplayed,
  },
  {
    name: 'stranger-believed',
    file: `${CLIENTS}/held-reply.ts`,
    find: 'isStranger || ',
    replace: '',
    breaks: 'What another host says after a redirect takes the token from the whole fleet.',
    unit: tests('origin'),
    unplayed,
  },
  {
    name: 'half-a-body-sent-again',
    file: `${CLIENTS}/request-body.ts`,
    find: 'return !this.#isTaken || this.#kept !== undefined ||',
    replace: 'return this.#isTaken || this.#kept !== undefined ||',
    breaks: 'A request is sent again with what is left of a body that was read.',
    unit: tests('body'),
    unplayed,
  },
  {
    name: 'waits-not-added-up',
    file: `${CLIENTS}/exchange.ts`,
    find: 'this.#waitLeftMs -= waitMs',
    replace: '',
    breaks: 'A request waits for one rate limit after the other, for ever.',
    unit: tests('rate-limit'),
    unplayed,
  },
  {
    name: 'throttled-come-back-together',
    file: `${CLIENTS}/exchange.ts`,
    find: ' + Math.floor(this.#options.random.fraction() * WAIT_SPREAD_MS)',
    replace: '',
    breaks: 'All that were throttled come back in the same instant.',
    unit: tests('rate-limit'),
    unplayed,
  },
  {
    name: 'token-in-an-error',
    file: `${CLIENTS}/exchange.ts`,
    find: 'withoutSecrets(error, [...this.#secrets])',
    replace: 'error as Error',
    breaks: 'The error of a request that failed shows the token it was sent with.',
    unit: tests('abort'),
    unplayed,
  },
]
