import { Controller, Module, Post, type RawBodyRequest, Req, Res } from '@nestjs/common'
import { onEvent, tokens } from '@tokenwell/example-app'
import type { Request, Response } from 'express'

@Controller('feishu/events')
class EventsController {
  @Post()
  async receive(@Req() request: RawBodyRequest<Request>, @Res() response: Response): Promise<void> {
    // There is one because of `rawBody: true` in server.ts.
    const rawBody = request.rawBody as Buffer
    const { status, headers, body, event } = await tokens.receiveEvent({ headers: request.headers, body: rawBody })
    if (event !== undefined) await onEvent(event)
    response.status(status).set(headers).send(body)
  }
}

@Module({ controllers: [EventsController] })
export class AppModule {}
