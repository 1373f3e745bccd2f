import { stringify } from 'yaml';
import type { z } from 'zod';
import { operations } from '../../src/operations/index.ts';
import type { Operation, Prediction } from '../../src/operations/operation.ts';
import { element } from '../../src/pipeline/analysis/element.ts';
import { analysers } from '../../src/pipeline/analysis/index.ts';
import { type Chooser, type Encoder, encoders, isChooser } from '../../src/pipeline/encoders/index.ts';
import { picturesFolder, picturesOf } from './example-pictures.ts';
import { code, fence, fieldsTable, page, table } from './markdown.ts';
import { sceneSize } from './scene.ts';

export function operationsPage(): string {
	return page(
		'Operations, encoders and analysis',
		'src/operations and src/pipeline/encoders',
		`A variant of a [recipe](recipes.md) is made by \`steps\`, each of which is one operation, one after the other, and then written by each
encoder in \`encode\`. An unknown option is refused. A picture that comes to its first step is upright, in sRGB and without metadata.

The pictures show what each example makes of one of ${size(sceneSize)} pixels.`,
		'## Operations',
		...operations.map(operationText),
		'## Encoders',
		...encoders.map(
			(one) => `### ${one.name}

${one.doc}${fileText(one)}

${fieldsTable(one.schema)}`,
		),
		'## Analysis',
		'What a recipe can ask for with `analyse`. It is made from copies of the pixels that are decoded anyway, as small as is enough, and stands in `analysis` of the picture. Of an animation the first frame is looked at.',
		table(
			['Name', 'What it is'],
			[...analysers, element].map(({ name, doc }) => [code(name), doc]),
		),
	);
}

function fileText(encoder: Encoder | Chooser): string {
	if (isChooser(encoder)) return ' The variant says which one it was.';
	const { type, extension, maximumSide } = encoder;
	return ` Written as ${code(type)} with the extension ${code(`.${extension}`)}; at most ${maximumSide} pixels of width and height.`;
}

function operationText(operation: Operation): string {
	const options = operation.schema.parse(operation.example);
	const step = stringify({ steps: [{ [operation.name]: operation.example }] }, { flowCollectionPadding: true });
	const rule = operation.schema.safeParse({}).error?.issues.find(({ path }) => path.length === 0);
	const schema = operation.schema as z.ZodObject;
	return [
		`### ${operation.name}`,
		`${operation.doc}${rule ? ` Needs ${rule.message.replace(/^expected /, '')}.` : ''}`,
		Object.keys(schema.shape).length > 0 ? fieldsTable(schema) : 'It has no options.',
		fence('yaml', step),
		sizeText(operation.predict(sceneSize, options)),
		beforeAndAfter(operation),
	].join('\n\n');
}

function beforeAndAfter(operation: Operation): string {
	const { before, after } = picturesOf(operation);
	const image = (text: string, file: string) => `![${text}](${picturesFolder}/${file})`;
	return table(['Before', 'After'], [[image('before', before), image(`after ${operation.name}`, after)]]);
}

function sizeText({ output, isAtMost }: Prediction): string {
	if (isAtMost) return `makes at most ${size(output)} of ${size(sceneSize)} pixels.`;
	const isSame = output.width === sceneSize.width && output.height === sceneSize.height;
	return isSame ? 'keeps the size.' : `makes ${size(output)} of ${size(sceneSize)} pixels.`;
}

function size({ width, height }: { width: number; height: number }): string {
	return `${width} × ${height}`;
}
