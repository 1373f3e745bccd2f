import { createHash } from 'node:crypto';

/** JSON with sorted keys: equal values have equal text. */
export function canonicalJson(value: unknown): string {
	return JSON.stringify(value, (_key, inner: unknown) => {
		if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
		return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
	});
}

/** Raise this whenever the same recipe makes different bytes. It is part of every digest, so old variants are made again. */
export const engineVersion = 2;

/** The SHA-256 of the parts' canonical form, 64 hex digits. */
export function digest(...parts: readonly unknown[]): string {
	return createHash('sha256').update(canonicalJson(parts)).digest('hex');
}

/** The first 12 hex digits (48 bits) of the SHA-256 of the parts' canonical form: short enough for a file name. */
export function digest12(...parts: readonly unknown[]): string {
	return digest(...parts).slice(0, 12);
}
