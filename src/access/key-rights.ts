import * as z from 'zod';
import { stored } from '../domain/stored.ts';

/** Rights of a key. `admin` includes all others. */
export const scopes = ['upload', 'read', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** What each scope allows, for help and reference pages. */
export const scopeDocs: Readonly<Record<Scope, string>> = {
	upload:
		'Upload pictures, create batches and upload tokens; list, show, fetch and process again what the group of the key uploaded.',
	read: 'List, show and fetch the pictures, originals, variants, batches and uploads of everybody; see recipes and failures. Changes nothing.',
	admin: "Everything, on the pictures of everybody: also deleting, the operator's calls and Arena.",
};

/** Do these scopes include the wanted one? */
export function hasScope(held: readonly Scope[], wanted: Scope): boolean {
	return held.includes(wanted) || held.includes('admin');
}

const rateShape = {
	requests: z.int().min(1).max(1_000_000_000),
	seconds: z.int().min(1).max(86_400),
};
/** A number of requests in a number of seconds. */
const rateSchema = stored(rateShape);

const shape = {
	rate: rateSchema.optional(),
	/** Concurrent requests. */
	concurrency: z.int().min(1).max(1_000_000).optional(),
	/** Pictures accepted or processed again in a day that begins at 00:00 UTC. */
	perDay: z.int().min(1).max(1_000_000_000).optional(),
};
/** The limits of a key. An absent limit is unlimited. */
export const keyLimitsSchema = stored(shape);
/** The limits as a client requests them: an unknown limit is refused, because it would not be enforced. */
export const wishedLimitsSchema = z.strictObject({ ...shape, rate: z.strictObject(rateShape).optional() });
export type KeyLimits = z.infer<typeof keyLimitsSchema>;
export type Rate = z.infer<typeof rateSchema>;

const unitSeconds: Readonly<Record<string, number>> = {
	s: 1,
	sec: 1,
	second: 1,
	min: 60,
	minute: 60,
	h: 3_600,
	hour: 3_600,
};

/**
 * Reads a rate in text form.
 *
 * @returns undefined if the text is not a rate
 * @example
 * parseRate('60/min'); // { requests: 60, seconds: 60 }
 * parseRate('100/10s'); // { requests: 100, seconds: 10 }
 */
export function parseRate(text: string): Rate | undefined {
	const [, requests, spans = '1', unit = ''] = /^(\d+)\/(\d*)([a-z]+)$/.exec(text.trim().toLowerCase()) ?? [];
	const seconds = Number(spans || 1) * (unitSeconds[unit] ?? Number.NaN);
	const rate = rateSchema.safeParse({ requests: Number(requests), seconds });
	return rate.success ? rate.data : undefined;
}

/** A rate for people: `60 requests a minute`. */
export function rateText({ requests, seconds }: Rate): string {
	const [name, span] = seconds % 3_600 === 0 ? ['hour', 3_600] : seconds % 60 === 0 ? ['minute', 60] : ['second', 1];
	const spans = seconds / span;
	const article = name === 'hour' ? 'an' : 'a';
	return `${requests} requests ${spans === 1 ? `${article} ${name}` : `in ${spans} ${name}s`}`;
}
