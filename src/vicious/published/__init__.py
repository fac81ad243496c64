"""Published models: a folder that Git keeps, with weights, records and a card of each."""
