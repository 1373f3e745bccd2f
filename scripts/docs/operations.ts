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
		`A variant of a [recipe](recipes.md) takes the picture through its \`steps\`, one operation after the other. Each encoder in \`encode\` then writes
the result to a file. Unknown options are refused. Before the first step the picture is upright, in sRGB and without metadata.

The pictures show the result of each example for a picture of ${size(sceneSize)} pixels.`,
		'## Operations',
		...operations.map(operationText),
		'## Encoders',
		...encoders.map(
			(one) => `### ${one.name}

${one.doc}${fileText(one)}

${fieldsTable(one.schema)}`,
		),
		qualityTargets,
		'## Analysis',
		`A recipe requests these with \`analyse\`; the results are in \`analysis\` of the picture. They use scaled copies of pixels that are decoded anyway. Of an
animation they use the first frame.`,
		table(
			['Name', 'Meaning'],
			[...analysers, element].map(({ name, doc }) => [code(name), doc]),
		),
		elementText,
	);
}

const qualityTargets = `### Quality targets

Instead of a number, the \`quality\` of a lossy encoder may be a target, which the encoder searches the quality for:

- \`{ ssim: 0.98 }\` takes the lowest quality whose result is at least this similar to the encoded pixels.
- \`{ maxBytes: 60000 }\` takes the highest quality whose file is at most this large. If not even the lowest one fits, the picture fails. With
  \`orSmallest: true\` it takes the smallest file instead.

\`min\` and \`max\` limit the search.`;

const elementText = `The \`<picture>\` of \`element\` has a source for each format with \`srcset\` and \`sizes\`, an \`img\` with \`width\` and \`height\`, and the file name as
\`alt\`, which the author of a page should replace. The \`placeholder\` is included if the picture is opaque.`;

function fileText(encoder: Encoder | Chooser): string {
	if (isChooser(encoder)) return ' The variant in the response names the chosen format.';
	const { type, extension, maximumSide } = encoder;
	return ` Media type ${code(type)}, extension ${code(`.${extension}`)}, at most ${maximumSide} pixels of width and height.`;
}

function operationText(operation: Operation): string {
	const options = operation.schema.parse(operation.example);
	const step = stringify({ steps: [{ [operation.name]: operation.example }] }, { flowCollectionPadding: true });
	const rule = operation.schema.safeParse({}).error?.issues.find(({ path }) => path.length === 0);
	const schema = operation.schema as z.ZodObject;
	return [
		`### ${operation.name}`,
		`${operation.doc}${rule ? ` Requires ${rule.message.replace(/^expected /, '')}.` : ''}`,
		Object.keys(schema.shape).length > 0 ? fieldsTable(schema) : 'No options.',
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
	if (isAtMost) return `The result is at most ${size(output)} pixels.`;
	const isSame = output.width === sceneSize.width && output.height === sceneSize.height;
	return isSame ? 'The size stays the same.' : `The result is ${size(output)} pixels.`;
}

function size({ width, height }: { width: number; height: number }): string {
	return `${width} × ${height}`;
}
