import * as rules from '../../../store-memory/src/record.ts'

/** The rules of a store that does not mind how old a publication is. */
export const careless: typeof rules = {
  ...rules,
  publish: (record, attempt, fence, request, now) =>
    rules.publish(
      record.published === undefined ? record : { ...record, published: { ...record.published, version: 0 } },
      attempt,
      fence,
      request,
      now,
    ),
}
