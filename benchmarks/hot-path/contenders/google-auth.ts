import { OAuth2Client } from 'google-auth-library'
import { library } from '../../measure/library.ts'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

/** A client has one token, so each key has a client, found in a `Map`. */
export const contender: Contender = {
  name: library('google-auth-library'),
  async open(keys) {
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const clients = new Map(names.map((name, index) => [name, client(index)]))
    for (const [index, name] of names.entries()) {
      if ((await clients.get(name)?.getAccessToken())?.token !== tokenValue(index)) throw new Error('no token')
    }
    const only = clients.get(keyName(0)) as OAuth2Client
    return {
      ways: {
        'getAccessToken()': { async: () => only.getAccessToken() },
        'getAccessToken() of a key': { async: (index) => (clients.get(names[index] as string) as OAuth2Client).getAccessToken() },
      },
    }
  },
}

function client(index: number): OAuth2Client {
  const made = new OAuth2Client()
  made.refreshHandler = async () => ({ access_token: tokenValue(index), expiry_date: Date.now() + LIFE_MS })
  return made
}
