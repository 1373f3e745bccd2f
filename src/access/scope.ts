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
