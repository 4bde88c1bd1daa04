"""Work that goes on when nobody is there: many sessions, after a login or a reboot."""
