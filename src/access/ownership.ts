import { PicpipeError } from '../errors.ts';
import type { Caller } from './caller.ts';
import { hasScope, type Scope } from './key-rights.ts';

/**
 * The rule about what belongs to whom. With `read` a caller sees everything, with `admin` it changes everything; with `upload` it sees and
 * changes what its owner uploaded. What has no owner, because it is older than owners or nobody uploaded it, is left to `read` and `admin`. An
 * upload token reaches the uploads that were begun with it, and nothing else.
 */

/** What a request does to a resource. */
export type Deed = 'see' | 'change';

/** The scope that a deed needs on what belongs to others. */
const scopeForAll: Readonly<Record<Deed, Scope>> = { see: 'read', change: 'admin' };
/** The scope that any deed needs on what belongs to the caller's owner. */
export const scopeForOwn: Scope = 'upload';

/** A picture, a batch or an upload. */
export interface Owned {
	readonly owner?: string | undefined;
	/** The upload token that it was begun with. */
	readonly grant?: string | undefined;
}

/** A route that needs `read` shows something; every other one changes it. */
export function deedOfScope(scope: Scope): Deed {
	return scope === scopeForAll.see ? 'see' : 'change';
}

/** Is it the caller's own, to see and to change? */
export function isOwn(caller: Caller, { owner, grant }: Owned): boolean {
	const isOfOwner = owner === caller.owner && hasScope(caller.scopes, scopeForOwn);
	return isOfOwner && (caller.grant === undefined || grant === caller.grant.id);
}

function mayReach(caller: Caller, deed: Deed, owned: Owned): boolean {
	return isOwn(caller, owned) || (caller.grant === undefined && hasScope(caller.scopes, scopeForAll[deed]));
}

/**
 * @param missing the error for a resource that does not exist. A caller who may not see this one gets the same, so that the two cannot be told
 * apart
 * @throws PicpipeError as `missing`; `insufficient-scope` if the caller may see the resource but not change it
 */
export function requireReach(caller: Caller, deed: Deed, owned: Owned, missing: () => PicpipeError): void {
	if (mayReach(caller, deed, owned)) return;
	if (!mayReach(caller, 'see', owned)) throw missing();
	throw new PicpipeError(
		'insufficient-scope',
		`Expected a key of the group that owns this, or one with the scope "${scopeForAll[deed]}", but this one has ${caller.scopes.join(', ')}.`,
		{ scope: scopeForAll[deed] },
	);
}

/** The owner whose things the caller sees; undefined if it sees everything. */
export function confinedTo(caller: Caller): string | undefined {
	return hasScope(caller.scopes, scopeForAll.see) ? undefined : caller.owner;
}
