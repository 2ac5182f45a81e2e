import { OAuth2Client } from 'google-auth-library'
import { type Contender, LIFE_MS, tokenValue } from '../contender.ts'

export const contender: Contender = {
  name: 'google-auth-library 11.3',
  async open() {
    const client = new OAuth2Client()
    client.refreshHandler = async () => ({ access_token: tokenValue(0), expiry_date: Date.now() + LIFE_MS })
    const get = () => client.getAccessToken()
    if ((await get()).token !== tokenValue(0)) throw new Error('no token')
    return { ways: { 'getAccessToken()': { async: get } } }
  },
}
