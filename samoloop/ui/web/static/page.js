// The page works without this: it adds keys, and what changes while one looks.
"use strict";

// Keyboard

// Live
