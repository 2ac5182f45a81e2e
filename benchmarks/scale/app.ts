export const APP = { appId: 'cli_bench', appSecret: 'secret', verificationToken: 'token', encryptKey: 'key' }
