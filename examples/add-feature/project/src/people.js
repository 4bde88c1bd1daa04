// Who may log in. Passwords are kept as salted hashes.

import { scryptSync, timingSafeEqual } from "node:crypto";

const PEOPLE = new Map();

export function register(name, password) {
  PEOPLE.set(name, scryptSync(password, `salt of ${name}`, 32));
}

// Whether this is the password of that person.
export function knows(name, password) {
  const hash = PEOPLE.get(name);
  return hash !== undefined && timingSafeEqual(hash, scryptSync(password, `salt of ${name}`, 32));
}

register("ada", process.env.ADA_PASSWORD ?? "analytical engine");
