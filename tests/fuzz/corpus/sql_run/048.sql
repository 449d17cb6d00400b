SELECT time_bucket('10 minutes', timestamp '2024-01-01 03:37', interval '5 minutes'),
  time_bucket('1 day', timestamptz '2024-01-01 03:00', timestamptz '2024-01-01 12:00'),
  time_bucket('1 month', timestamp '2024-05-03', timestamp '2024-01-15')