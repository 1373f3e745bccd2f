import * as z from 'zod';
import { stored } from '../domain/stored.ts';

/** What a key may do. `admin` may do everything. */
export const scopes = ['upload', 'read', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** What each scope is for, for help and reference pages. */
export const scopeDocs: Readonly<Record<Scope, string>> = {
	upload: 'Bring pictures in, have them processed again, make upload tokens.',
	read: 'List, show and fetch pictures, originals and variants; see the recipes.',
	admin: "Everything, with deleting, the operator's calls and Arena among it.",
};

/** Does somebody with these scopes have the one that is wanted? */
export function hasScope(held: readonly Scope[], wanted: Scope): boolean {
	return held.includes(wanted) || held.includes('admin');
}

const rateShape = {
	requests: z.int().min(1).max(1_000_000_000),
	seconds: z.int().min(1).max(86_400),
};
/** So many requests in so many seconds. */
const rateSchema = stored(rateShape);

const shape = {
	rate: rateSchema.optional(),
	/** Requests under way at the same time. */
	concurrency: z.int().min(1).max(1_000_000).optional(),
	/** Pictures accepted in a day that begins at 00:00 UTC. */
	perDay: z.int().min(1).max(1_000_000_000).optional(),
};
/** How much a key may do. What is not there has no limit. */
export const keyLimitsSchema = stored(shape);
/** The same as somebody asks for it: a limit that nobody here knows would not be kept to. */
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
 * Reads a rate as people write it.
 *
 * @returns undefined for anything that is none
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

/** For a person: `60 requests a minute`. */
export function rateText({ requests, seconds }: Rate): string {
	const [name, span] = seconds % 3_600 === 0 ? ['hour', 3_600] : seconds % 60 === 0 ? ['minute', 60] : ['second', 1];
	const spans = seconds / span;
	const article = name === 'hour' ? 'an' : 'a';
	return `${requests} requests ${spans === 1 ? `${article} ${name}` : `in ${spans} ${name}s`}`;
}
