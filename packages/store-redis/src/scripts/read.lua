-- Says what the record says. Changes nothing.
--
-- KEYS[1]  the record
-- Reply    as every script's; the kind is 'read'

return reply('read')
