import { createHmac, randomBytes } from 'node:crypto';
import { builtInOwners } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { groupOf, type KeyRecord } from './key.ts';
import { hasScope, type KeyLimits, type Scope } from './key-rights.ts';
import type { UploadGrant } from './upload-token.ts';

/** The sender of a request, and its rights. */
export interface Caller {
	/** A key's id, `setting-1` for the first key of `PICPIPE_API_KEYS`, or `local` if no key is required. Not secret. */
	readonly id: string;
	/** What it uploads belongs to this owner: the group of its key, or one of `builtInOwners`. */
	readonly owner: string;
	readonly scopes: readonly Scope[];
	/** Names of the allowed recipes; all if undefined. */
	readonly recipes?: readonly string[] | undefined;
	readonly limits: KeyLimits;
	/** Signs the upload tokens that this caller makes. */
	readonly signingSecret: Buffer;
	/** The rights of the upload token that was sent, if any. */
	readonly grant?: UploadGrant | undefined;
}

/** A caller on this machine while no key exists. Its tokens end with the process. */
export function localCaller(): Caller {
	return { id: 'local', owner: builtInOwners.local, scopes: ['admin'], limits: {}, signingSecret: randomBytes(32) };
}

/** A key from the configuration: all rights, no limits. @param place in the list, from 1 */
export function settingCaller(key: string, place: number): Caller {
	const signingSecret = createHmac('sha256', key).update('picpipe upload tokens').digest();
	return { id: `setting-${place}`, owner: builtInOwners.settings, scopes: ['admin'], limits: {}, signingSecret };
}

/** A key from storage. */
export function keyCaller(record: KeyRecord): Caller {
	const { id, scopes, recipes, limits, signingSecret } = record;
	return { id, owner: groupOf(record), scopes, recipes, limits, signingSecret: Buffer.from(signingSecret, 'hex') };
}

/** @param or further scopes, one of which suffices. @throws PicpipeError `insufficient-scope` */
export function requireScope(caller: Caller, scope: Scope, or: readonly Scope[] = []): void {
	if ([scope, ...or].some((one) => hasScope(caller.scopes, one))) return;
	throw new PicpipeError(
		'insufficient-scope',
		`Expected a key with the scope "${scope}" but this one has ${caller.scopes.join(', ')}.`,
		{ scope },
	);
}

/** The sender of a request with an upload token of this caller: it may upload, whatever else its key may. */
export function tokenCaller(signer: Caller, grant: UploadGrant): Caller {
	return { ...signer, scopes: hasScope(signer.scopes, 'upload') ? ['upload'] : [], grant };
}

/** @throws PicpipeError `recipe-not-allowed` if the caller's list of recipes does not contain it */
export function requireRecipe(caller: Caller, recipe: string): void {
	if (caller.recipes && !caller.recipes.includes(recipe)) {
		throw new PicpipeError(
			'recipe-not-allowed',
			`Expected one of ${caller.recipes.join(', ')} for recipe but received "${recipe}".`,
		);
	}
}
