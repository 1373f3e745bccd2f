import { createHmac, randomBytes } from 'node:crypto';
import { PicpipeError } from '../errors.ts';
import type { KeyRecord } from './key.ts';
import { hasScope, type KeyLimits, type Scope } from './key-rights.ts';
import type { UploadGrant } from './upload-token.ts';

/** Who makes a request, and what they may do. */
export interface Caller {
	/** A key's id, `setting-1` for the first of `PICPIPE_API_KEYS`, or `local` where no key is needed. No secret. */
	readonly id: string;
	readonly scopes: readonly Scope[];
	/** Names of the recipes that may be used; all when undefined. */
	readonly recipes?: readonly string[] | undefined;
	readonly limits: KeyLimits;
	/** Signs the upload tokens that this caller makes. */
	readonly signingSecret: Buffer;
	/** What the upload token allows with which this caller came. */
	readonly grant?: UploadGrant | undefined;
}

/** This machine, as long as there is no key. Its tokens end with the process. */
export function localCaller(): Caller {
	return { id: 'local', scopes: ['admin'], limits: {}, signingSecret: randomBytes(32) };
}

/** A key of the setting: everything, without limits. @param place in the list, from 1 */
export function settingCaller(key: string, place: number): Caller {
	const signingSecret = createHmac('sha256', key).update('picpipe upload tokens').digest();
	return { id: `setting-${place}`, scopes: ['admin'], limits: {}, signingSecret };
}

/** A key of the storage. */
export function keyCaller(record: KeyRecord): Caller {
	const { id, scopes, recipes, limits, signingSecret } = record;
	return { id, scopes, recipes, limits, signingSecret: Buffer.from(signingSecret, 'hex') };
}

/** @throws PicpipeError `insufficient-scope` */
export function requireScope(caller: Caller, scope: Scope): void {
	if (!hasScope(caller.scopes, scope)) {
		throw new PicpipeError(
			'insufficient-scope',
			`Expected a key with the scope "${scope}" but this one has ${caller.scopes.join(', ')}.`,
			{ scope },
		);
	}
}

/** @throws PicpipeError `recipe-not-allowed` when the caller's list of recipes has not this one */
export function requireRecipe(caller: Caller, recipe: string): void {
	if (caller.recipes && !caller.recipes.includes(recipe)) {
		throw new PicpipeError(
			'recipe-not-allowed',
			`Expected one of ${caller.recipes.join(', ')} for recipe but received "${recipe}".`,
		);
	}
}
