-- Says what the record says. Changes nothing.
--
-- KEYS[1]  the record
-- Kind     'read'

kind = 'read'
