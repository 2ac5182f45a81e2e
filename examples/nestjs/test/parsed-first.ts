import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { AppModule } from '../events.ts'

const app = await NestFactory.create(AppModule)
await app.listen(process.env.PORT ?? 3000)
console.log('listening')
