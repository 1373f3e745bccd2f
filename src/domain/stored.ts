import * as z from 'zod';

/**
 * How everything is read that picpipe has stored: manifests, records and job data. Versions run side by side, so a process meets
 * fields that a newer one has added. It reads over them and keeps them when it writes the record again. Input of users is another
 * thing: there an unknown field is a mistake, and `z.strictObject` says so.
 */

/**
 * An object in storage, Redis or a job. Unknown fields pass through; the type does not name them, so no code can depend on them.
 *
 * @example
 * const schema = stored({ id: z.string() });
 * schema.parse({ id: 'a', colour: 'red' }); // { id: 'a', colour: 'red' }
 */
export function stored<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
	return z.looseObject(shape) as unknown as z.ZodObject<z.core.util.Writeable<Shape>, z.core.$strip>;
}

/**
 * A word of a list that may grow, such as an error code. A word of a newer version must not make the rest unreadable, so any text
 * is read; whoever acts on one compares it with the words that it knows.
 */
export function storedWord<Word extends string>(_known: readonly Word[]) {
	return z.string() as unknown as z.ZodType<Word, Word>;
}

/** What a schema names of a stored value, at every depth and in the schema's order: for views, which show no unknown field. */
export function knownPart<T>(schema: z.ZodType<T>, value: T): T {
	return pick(schema, value) as T;
}

function pick(schema: z.core.$ZodType, value: unknown): unknown {
	if (value === undefined || value === null) return value;
	if (schema instanceof z.ZodOptional) return pick(schema.unwrap(), value);
	if (schema instanceof z.ZodArray) return (value as unknown[]).map((item) => pick(schema.element, item));
	if (!(schema instanceof z.ZodObject)) return value;
	return Object.fromEntries(
		Object.entries<z.core.$ZodType>(schema.shape).flatMap(([name, field]) => {
			const inner = (value as Record<string, unknown>)[name];
			return inner === undefined ? [] : [[name, pick(field, inner)]];
		}),
	);
}

/** The fields of a stored object that a schema does not name. Whoever makes the object anew takes them along. */
export function unknownPart(schema: { readonly shape: object }, value: object | undefined): object {
	return Object.fromEntries(Object.entries(value ?? {}).filter(([name]) => !Object.hasOwn(schema.shape, name)));
}
