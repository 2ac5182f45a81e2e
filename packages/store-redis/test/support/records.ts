import type { AnyCluster, AnyRedis } from './ioredis.ts'

const MAGIC = 'tokenwell'

/** In the order of LAYOUT in src/scripts/record.lua. */
const NUMBERS = [
  'fence',
  'rejectedUpTo',
  'version',
  'renewAt',
  'renewLength',
  'expiresAt',
  'expiresLength',
  'quietUntil',
  'quietLength',
  'leaseFence',
  'leaseUntil',
  'leaseLength',
  'retryAt',
  'retryLength',
  'failures',
  'takeover',
] as const
const TEXTS = ['publishedBy', 'owner', 'value', 'failure', 'config'] as const
const DEADLINES = ['renewAt', 'expiresAt', 'quietUntil', 'leaseUntil', 'retryAt'] as const

type Admin = AnyRedis | AnyCluster

/** A record: its formats, its fields, and the bytes after those. */
interface StoredRecord extends Readonly<Record<(typeof NUMBERS)[number], number>>, Readonly<Record<(typeof TEXTS)[number], string>> {
  readonly format: number
  readonly lowestFormat: number
  readonly unknown: string
}

function unpack(packed: Buffer): StoredRecord {
  if (packed.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('this is no record')
  let at = MAGIC.length
  const next = (bytes: number): Buffer => {
    const part = packed.subarray(at, at + bytes)
    at += bytes
    return part
  }
  const [format, lowestFormat] = [next(1).readUInt8(), next(1).readUInt8()]
  const numbers = NUMBERS.map((field) => [field, next(8).readDoubleBE()])
  const texts = TEXTS.map((field) => [field, next(next(4).readUInt32BE()).toString()])
  return { format, lowestFormat, ...Object.fromEntries([...numbers, ...texts]), unknown: packed.toString('utf8', at) }
}

function pack(record: StoredRecord): Buffer {
  const numbers = NUMBERS.map((field) => {
    const double = Buffer.alloc(8)
    double.writeDoubleBE(record[field])
    return double
  })
  const texts = TEXTS.flatMap((field) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(Buffer.byteLength(record[field]))
    return [length, Buffer.from(record[field])]
  })
  const head = Buffer.from([...Buffer.from(MAGIC), record.format, record.lowestFormat])
  return Buffer.concat([head, ...numbers, ...texts, Buffer.from(record.unknown)])
}

/** Names of all records of a store; in a cluster, of those on any primary. */
async function recordsOf(admin: Admin, prefix: string): Promise<string[]> {
  const servers: readonly AnyRedis[] = 'nodes' in admin ? admin.nodes('master') : [admin]
  const found = await Promise.all(servers.map((server) => server.keys(`{${prefix}:*`)))
  return found.flat()
}

/** The server's clock, milliseconds. */
export async function serverTime(admin: Admin): Promise<number> {
  const [seconds, microseconds] = await admin.time()
  return Number(seconds) * 1000 + Number(microseconds) / 1000
}

/** What is stored of a key that has a record. @param name the record's */
export async function fieldsOf(admin: Admin, name: string): Promise<StoredRecord> {
  const packed = await admin.getBuffer(name)
  if (packed === null) throw new Error(`there is no record ${name}`)
  return unpack(packed)
}

/** Changes some of what is stored, and leaves its end. @param name the record's */
export async function setFields(admin: Admin, name: string, fields: Partial<StoredRecord>): Promise<void> {
  await change(admin, name, () => fields)
}

/** Moves every deadline of a store's records, as if the server's clock had been set back. */
export async function moveDeadlines(admin: Admin, prefix: string, ms: number): Promise<void> {
  for (const name of await recordsOf(admin, prefix)) {
    await change(admin, name, (record) => {
      const there = DEADLINES.filter((deadline) => record[deadline] !== 0)
      return Object.fromEntries(there.map((deadline) => [deadline, record[deadline] + ms * 1000]))
    })
  }
}

/** A process may write to a record meanwhile: what it has written is changed then, and not lost. No script does this, as what a store runs is counted by those. */
async function change(admin: Admin, name: string, make: (record: StoredRecord) => Partial<StoredRecord>): Promise<void> {
  for (;;) {
    await admin.watch(name)
    const record = await fieldsOf(admin, name)
    const changed = pack({ ...record, ...make(record) })
    if ((await admin.multi().set(name, changed, 'KEEPTTL').exec()) !== null) return
  }
}

export async function removeRecords(admin: Admin, prefix: string): Promise<void> {
  for (const record of await recordsOf(admin, prefix)) await admin.del(record)
}
