import type { DialectOptions, RenderFormat, RenderPlan, SourceFacts } from '../image-request.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import { type AddSteps, StepList } from '../shared/step-list.ts';
import { opacitySteps, putBehind, takeBorder, takeCorners, takeOpacity, takeTurns } from './appearance.ts';
import { type Component, colourArgument, qualifier, readComponents } from './components.ts';
import { takeEffect } from './effects.ts';
import { takeLayer } from './layers.ts';
import { type CloudinaryOutput, encodingOf, pageFor, takeOutput } from './output.ts';
import { takeResizing } from './resizing.ts';

/** A parsed transformation. The plan also needs the facts of a picture. */
export interface Transformation {
	readonly output: CloudinaryOutput;
	readonly plan: (facts: SourceFacts) => RenderPlan;
}

/**
 * Reads a transformation: a chain of components, each of which works on the result of the previous one.
 *
 * @param text decoded
 * @param extension format of the URL's extension
 * @throws PicpipeError for all errors that can be found without the picture
 */
export function readTransformation(
	text: string,
	options: DialectOptions,
	extension: RenderFormat | undefined,
): Transformation {
	const components = readComponents(text, options);
	const output: CloudinaryOutput = {};
	const dpr = takeDpr(components);
	const grouped = groups(components);
	for (const component of components) takeOutput(component, output);
	const additions = grouped.flatMap((group): readonly AddSteps[] => {
		if (group[0]?.has('l')) return [takeLayer(group, dpr)];
		return group.map((component) => readComponent(component, dpr));
	});

	return { output, plan };

	function plan(facts: SourceFacts): RenderPlan {
		const page = pageFor(output, facts);
		// The facts are those of the first page.
		const isFirst = page === undefined || facts.format !== 'tiff';
		const { width, height, alpha } = facts;
		const steps = new StepList({ size: isFirst ? { width, height } : undefined, alpha: alpha || !isFirst });
		for (const addSteps of additions) addSteps(steps);
		const encode = encodingOf(output, facts);
		return {
			...(page !== undefined && { page }),
			steps: steps.steps,
			format: output.format ?? extension ?? 'source',
			...(encode && { encode }),
			...(output.metadata && { metadata: output.metadata }),
		};
	}
}

/** The pixel density of the screen. It applies to the whole URL, whichever component names it. */
function takeDpr(components: readonly Component[]): number {
	const texts = components.flatMap((component) => component.take('dpr') ?? []);
	const [text] = texts;
	if (text === undefined) return 1;
	if (text === 'auto') throw unsupportedValue('dpr_', 'a number', text);
	if (new Set(texts).size > 1) throw invalidValue('dpr_', 'one number in a URL', texts.join(', '));
	return qualifier.number('dpr_', text, 0.1, 10);
}

/** Groups of components: a layer with its modifiers up to the component that applies it, or a single component. */
function groups(components: readonly Component[]): readonly (readonly Component[])[] {
	const found: Component[][] = [];
	for (let at = 0; at < components.length; at++) {
		const rest = components.slice(at + 1);
		const next = rest.findIndex((component) => component.has('l'));
		const applied = rest.findIndex((component) => component.hasFlag('layer_apply'));
		const isOpen = components[at]?.has('l') && applied >= 0 && (next < 0 || applied < next);
		const end = isOpen ? at + applied + 2 : at + 1;
		found.push(components.slice(at, end));
		at = end - 1;
	}
	return found;
}

/** The steps of a component, in this order, whatever the order of its qualifiers. */
function readComponent(component: Component, dpr: number): AddSteps {
	const named = component.take('b');
	const background = named === undefined ? undefined : colourArgument('b_', named);
	const resizing = takeResizing(component, background, dpr);
	const opacity = opacitySteps(takeOpacity(component));
	const corners = takeCorners(component, dpr);
	const additions = [
		resizing,
		takeEffect(component, resizing !== undefined),
		opacity,
		corners,
		takeBorder(component, dpr),
		takeTurns(component, background),
	];
	component.finish();
	return (steps) => {
		const wasTransparent = steps.alpha || opacity !== undefined || corners !== undefined;
		for (const addSteps of additions) addSteps?.(steps);
		if (background !== undefined) putBehind(steps, background, wasTransparent);
	};
}
