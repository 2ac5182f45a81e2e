import { createWebEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'

export const POST = createWebEventHandler(tokens, { onEvent, onError: console.error })
