import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { AppModule } from './events.ts'

// Keeps the raw body beside the parsed one.
const app = await NestFactory.create(AppModule, { rawBody: true })
await app.listen(process.env.PORT ?? 3000)
console.log('listening')
