-- Question: what the record says. Kind: 'read'.

select 'read' as kind, * from record
