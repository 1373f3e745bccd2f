import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

/** Wrong guesses before the first pause. People mistype, and browsers send several requests at once. */
const freeGuesses = 10;
/** Pause after the guess that follows, milliseconds; it doubles with each further one. */
const pauses = { first: 1_000, longest: 15 * 60_000 };
/** Guesses are forgotten this long after the last one, milliseconds. */
const memory = 60 * 60_000;
/** IP addresses to remember. The least recently seen one is forgotten first. */
const mostAddresses = 10_000;
/** Leading bits of an IPv6 address that stand for one network: its owner can use any address in it. */
const networkBits = 64;

/** Counts wrong guesses of each IP address. */
export interface Guesses {
	/** Counts a guess as wrong, unless the address has to pause. @returns seconds until the next guess is allowed; 0 if this one is */
	count(address: string): number;
	/** The guess was right: forgets those before it. */
	forgive(address: string): void;
}

/** @param now milliseconds of a clock that never goes back */
export function openGuesses(now = () => performance.now()): Guesses {
	const seen = new LRUCache<string, { wrong: number; until: number }>({ max: mostAddresses, ttl: memory });
	return {
		count(address) {
			const key = networkOf(address);
			const { wrong, until } = seen.get(key) ?? { wrong: 0, until: 0 };
			const left = until - now();
			if (left > 0) return Math.ceil(left / 1_000);
			const over = wrong + 1 - freeGuesses;
			const pause = over < 0 ? 0 : Math.min(pauses.first * 2 ** over, pauses.longest);
			seen.set(key, { wrong: wrong + 1, until: now() + pause });
			return 0;
		},
		forgive: (address) => void seen.delete(networkOf(address)),
	};
}

function networkOf(address: string): string {
	if (!ipaddr.isValid(address)) return address;
	const parsed = ipaddr.process(address);
	if (parsed.kind() === 'ipv4') return parsed.toString();
	return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/${networkBits}`).toString();
}
