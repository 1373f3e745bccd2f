import { z } from 'zod';

/** A page with the note that it is generated, so that it is not edited by hand. @param source the files to change instead */
export function page(title: string, source: string, ...blocks: readonly string[]): string {
	const note = `<!-- Made from ${source} by scripts/docs.ts. Change it there, then run \`npm run docs\`. -->`;
	return `${[note, `# ${title}`, ...blocks].map((block) => block.trim()).join('\n\n')}\n`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
	const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
	return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

export function code(text: string): string {
	return `\`${text}\``;
}

export function fence(language: string, text: string): string {
	return `\`\`\`${language}\n${text.trim()}\n\`\`\``;
}

function cell(text: string): string {
	return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** The fields of an object's schema: name, expected value, default, meaning. */
export function fieldsTable(schema: z.ZodType): string {
	const shown = fieldsOf(schema);
	const hasDefaults = shown.some((field) => field.default !== '');
	const head = ['Name', 'Expected', ...(hasDefaults ? ['Default'] : []), 'Meaning'];
	return table(
		head,
		shown.map((field) => [
			code(field.name),
			field.expected + (field.isRequired ? ' (required)' : ''),
			...(hasDefaults ? [field.default] : []),
			field.doc,
		]),
	);
}

interface Field {
	readonly name: string;
	readonly expected: string;
	readonly isRequired: boolean;
	readonly default: string;
	readonly doc: string;
}

/** @throws Error for a field without a description */
function fieldsOf(schema: z.ZodType): Field[] {
	if (!(schema instanceof z.ZodObject)) throw new TypeError('Expected the schema of an object.');
	const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
	return Object.entries<z.ZodType>(schema.shape).map(([name, field]) => {
		const json = properties[name] as JsonSchema;
		const absent = field.safeParse(undefined);
		const fallback: unknown = absent.success ? absent.data : undefined;
		if (!json.description) throw new Error(`Expected a description of ${name}: add .describe() to its schema.`);
		return {
			name,
			expected: expectation(field, json),
			isRequired: !absent.success,
			default: fallback === undefined || isEmpty(fallback) ? '' : code(String(fallback)),
			doc: json.description,
		};
	});
}

function isEmpty(value: unknown): boolean {
	return Array.isArray(value) && value.length === 0;
}

interface JsonSchema {
	readonly type?: string;
	readonly enum?: readonly unknown[];
	readonly const?: unknown;
	readonly minimum?: number;
	readonly maximum?: number;
	readonly pattern?: string;
	readonly items?: JsonSchema;
	readonly anyOf?: readonly JsonSchema[];
	readonly properties?: Readonly<Record<string, JsonSchema>>;
	readonly description?: string;
}

/** The expected value in words. If the schema has its own message that begins with "expected", that message is used. */
function expectation(field: z.ZodType, json: JsonSchema): string {
	if (json.enum) return json.enum.map((value) => code(String(value))).join(', ');
	if (json.const !== undefined) return code(String(json.const));
	if (json.pattern) return (ownSentence(field, '\0') ?? `text that matches ${code(json.pattern)}`).replace(/\.$/, '');
	const sentence = json.anyOf && ownSentence(field, '\0');
	if (sentence) return sentence;
	if (json.anyOf) return [...new Set(json.anyOf.map((one) => typeName(one)))].join(' or ');
	if (json.type === 'integer') return integerRange(json);
	if (json.type === 'number' && json.minimum !== undefined && json.maximum !== undefined) {
		return `a number from ${json.minimum} to ${json.maximum}`;
	}
	return typeName(json);
}

function ownSentence(field: z.ZodType, wrong: unknown): string | undefined {
	const message = field.safeParse(wrong).error?.issues[0]?.message;
	return message?.startsWith('expected ') ? message.slice('expected '.length) : undefined;
}

function integerRange({ minimum, maximum }: JsonSchema): string {
	const least = minimum !== undefined && Number.isSafeInteger(minimum - 1) ? minimum : undefined;
	const most = maximum !== undefined && Number.isSafeInteger(maximum + 1) ? maximum : undefined;
	if (least !== undefined && most !== undefined) return `an integer from ${least} to ${most}`;
	return least === undefined ? 'an integer' : `an integer of at least ${least}`;
}

function typeName(json: JsonSchema): string {
	switch (json.type) {
		case 'string':
			return 'text';
		case 'boolean':
			return '`true` or `false`';
		case 'array':
			return `a list of ${json.items ? plural(json.items) : 'values'}`;
		case 'object':
			if (!json.properties) return 'an object';
			return `an object with ${Object.keys(json.properties ?? {})
				.map(code)
				.join(', ')}`;
		default:
			return json.type ?? 'anything';
	}
}

function plural(items: JsonSchema): string {
	return items.type === 'string' ? 'texts' : `${items.type}s`;
}
