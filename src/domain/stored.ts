import * as z from 'zod';

/**
 * How picpipe reads its own stored data: manifests, records and job data. Versions run side by side, so a process can meet fields that a
 * newer version added. It ignores them and keeps them when it writes the record again. User input is different: an unknown field there is a
 * mistake, and `z.strictObject` reports it.
 */

/**
 * An object in storage, in Redis or in a job. Unknown fields pass through. The type does not name them, so no code can depend on them.
 *
 * @example
 * const schema = stored({ id: z.string() });
 * schema.parse({ id: 'a', colour: 'red' }); // { id: 'a', colour: 'red' }
 */
export function stored<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
	return z.looseObject(shape) as unknown as z.ZodObject<z.core.util.Writeable<Shape>, z.core.$strip>;
}

/**
 * A word from a list that may grow, such as an error code. An unknown word from a newer version must not make the whole record unreadable,
 * so any text is accepted. Code that acts on the word compares it with the known words.
 */
export function storedWord<Word extends string>(_known: readonly Word[]) {
	return z.string() as unknown as z.ZodType<Word, Word>;
}

/** Keeps only the fields that a schema names, at every depth and in the schema's order. For views, which show no unknown field. */
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

/** The fields of a stored object that a schema does not name. Code that builds a new version of the object copies them into it. */
export function unknownPart(schema: { readonly shape: object }, value: object | undefined): object {
	return Object.fromEntries(Object.entries(value ?? {}).filter(([name]) => !Object.hasOwn(schema.shape, name)));
}
