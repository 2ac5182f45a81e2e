import { createWebEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'

const handleEvent = createWebEventHandler(tokens, { onEvent })

/** @param {Request} request */
export async function POST(request) {
  console.log('received', (await request.text()).length, 'characters')
  return handleEvent(request)
}
