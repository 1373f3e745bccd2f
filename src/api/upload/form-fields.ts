import { PicpipeError } from '../../errors.ts';
import { slipOf } from '../../suggestion.ts';
import { uploadFieldsSchema } from '../contract.ts';

/**
 * What the fields of a form and of `Upload-Metadata` mean. Pages send more fields than picpipe knows: those of their upload widgets, of
 * their framework, and those that their authors made up. In this order:
 *
 * 1. our own fields count;
 * 2. those of `ignoredFields` are dropped;
 * 3. a misspelt field of our own is refused, because ignoring it would give another picture than the one that was asked for;
 * 4. every other field is metadata of the picture.
 *
 * Queries and JSON bodies are written by people, so unknown names there are refused.
 */

/** Fields that widgets, frameworks and browsers add by themselves. */
export const ignoredFields: readonly { readonly by: string; readonly names: readonly string[] }[] = [
	{ by: 'Uppy, tus clients', names: ['name', 'type', 'filetype', 'relativePath'] },
	{ by: 'FilePond', names: ['filepond'] },
	{
		by: 'Dropzone',
		names: ['dzuuid', 'dzchunkindex', 'dztotalfilesize', 'dzchunksize', 'dztotalchunkcount', 'dzchunkbyteoffset'],
	},
	{ by: 'Fine Uploader', names: ['qquuid', 'qqfilename', 'qqtotalfilesize'] },
	{ by: 'submit buttons', names: ['submit', 'commit', 'button'] },
	{ by: 'HTML, PHP, Rails', names: ['_charset_', 'MAX_FILE_SIZE', 'utf8', '_method'] },
	{
		by: 'protection against forged forms',
		names: ['_token', '_csrf', 'csrfmiddlewaretoken', 'authenticity_token', '__RequestVerificationToken', '_wpnonce'],
	},
];

const ignored = new Set(ignoredFields.flatMap(({ names }) => names));

/** Our own fields, and the metadata, as `fieldsOf` takes them. */
type SortedFields = Readonly<Record<string, unknown>> & { readonly meta?: Readonly<Record<string, unknown>> };

/** Fields of a form, as text. */
type TextFields = Readonly<Record<string, string>>;

/**
 * Sorts the fields of a form.
 *
 * @param query of the same request
 * @param fileFields names of the fields that contain files
 * @throws PicpipeError `unknown-field`, `invalid-field`
 */
export function sortForm(
	query: Readonly<Record<string, unknown>>,
	fields: TextFields,
	fileFields: ReadonlySet<string>,
): SortedFields {
	// Dropzone sends each chunk as a file of its own, which is no picture.
	if (Number(fields.dztotalchunkcount ?? 1) > 1) {
		throw new PicpipeError(
			'invalid-field',
			`dztotalchunkcount: expected a whole file but received one of ${fields.dztotalchunkcount} chunks. Set chunking to false, or use a tus client for large files.`,
		);
	}
	// FilePond sends its metadata of a file under the name of the file's field; so does Dropzone with what a file input contains.
	const isOfFile = (name: string) => name === 'filepond' || (fileFields.has(name) && !isOwn(name, ownOfForms));
	const ofFiles = Object.entries(fields).filter(([name]) => isOfFile(name));
	const rest = Object.entries(fields).filter(([name]) => !isOfFile(name));
	const form = sort(Object.fromEntries(rest), ownOfForms);
	const ofQuery = sortQuery(query);
	const meta = {
		...ofQuery.meta,
		...Object.assign({}, ...ofFiles.map(([, text]) => fileMetadata(text))),
		...form.meta,
	};
	return { ...ofQuery, ...form, ...(Object.keys(meta).length > 0 && { meta }) };
}

/**
 * Sorts the fields of `Upload-Metadata`. `name` is the file name, unless there is a `filename`. Names there are ASCII without spaces and
 * commas, so a name in `meta[name]` may be percent-encoded.
 *
 * @throws PicpipeError `unknown-field`, `invalid-field`
 */
export function sortMetadata(metadata: TextFields): SortedFields {
	const decoded = Object.entries(metadata).map(([name, value]) => [decodeMetaKey(name), value] as const);
	const { name, ...fields } = Object.fromEntries(decoded);
	return sort(name === undefined || fields.filename !== undefined ? fields : { ...fields, filename: name }, [
		...ownOfForms,
		'filename',
	]);
}

/** Collects `meta[name]` of a query. Other names stay as they are, known or not. */
export function sortQuery(query: Readonly<Record<string, unknown>>): SortedFields {
	const own: [string, unknown][] = [];
	const meta: [string, unknown][] = [];
	for (const [name, value] of Object.entries(query)) {
		if (name === 'meta') throw bareMeta();
		const key = metaKeyOf(name);
		if (key === undefined) own.push([name, value]);
		else meta.push([key, Array.isArray(value) ? value.join(',') : value]);
	}
	return { ...Object.fromEntries(own), ...(meta.length > 0 && { meta: Object.fromEntries(meta) }) };
}

/** `filename` belongs to a file's own part in a form; the schema refuses it. */
const ownOfForms = Object.keys(uploadFieldsSchema.shape).filter((name) => name !== 'meta');
const refusedInForms = ['filename', '__proto__'];

function isOwn(name: string, own: readonly string[]): boolean {
	return own.includes(name) || refusedInForms.includes(name);
}

function sort(fields: TextFields, ownNames: readonly string[]): SortedFields {
	const own = new Map<string, string>();
	const plain: [string, string][] = [];
	const explicit: [string, string][] = [];
	for (const [given, value] of Object.entries(fields)) {
		// Lists of PHP and Rails, and of Uppy.
		const name = given.endsWith('[]') ? given.slice(0, -2) : given;
		const key = metaKeyOf(name);
		if (key !== undefined) explicit.push([key, value]);
		else if (isOwn(name, ownNames)) own.set(name, own.has(name) ? `${own.get(name)},${value}` : value);
		else if (!ignored.has(name)) plain.push([requireMeant(name, ownNames), value]);
	}
	const meta = Object.fromEntries([...plain, ...explicit]);
	return { ...Object.fromEntries(own), ...(Object.keys(meta).length > 0 && { meta }) };
}

/** @throws PicpipeError `unknown-field` for a name that is meant as one of our own, or is ours elsewhere */
function requireMeant(name: string, own: readonly string[]): string {
	if (name === 'meta') throw bareMeta();
	if (name === 'token') {
		throw new PicpipeError(
			'unknown-field',
			'Expected the upload token as a header or a query parameter, not as a field or metadata.',
		);
	}
	const meant = slipOf(name, own);
	if (meant === undefined) return name;
	throw new PicpipeError(
		'unknown-field',
		`Expected only ${own.join(', ')}, and metadata, but received ${name} (did you mean ${meant}?). Send it as meta[${name}] if it is metadata.`,
	);
}

function bareMeta(): PicpipeError {
	return new PicpipeError('invalid-field', 'meta: expected meta[name]=value for each name but received meta.');
}

function decodeMetaKey(name: string): string {
	if (metaKeyOf(name) === undefined) return name;
	try {
		return decodeURIComponent(name);
	} catch {
		return name;
	}
}

/** The key in `meta[key]`. */
function metaKeyOf(name: string): string | undefined {
	return /^meta\[(.*)\]$/su.exec(name)?.[1];
}

/** Texts, numbers and truth values of FilePond's metadata. What its plugins add for themselves, such as a crop, are objects. */
function fileMetadata(text: string): TextFields {
	if (!text.startsWith('{')) return {};
	try {
		const entries = Object.entries(JSON.parse(text) as object);
		return Object.fromEntries(
			entries
				.filter(([, value]) => /^(string|number|boolean)$/.test(typeof value))
				.map(([key, value]) => [key, `${value}`]),
		);
	} catch {
		return {};
	}
}
