"""The five wirings of reader, recurrence and head. They know neither the file format nor the task."""
