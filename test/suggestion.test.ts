import { expect, it } from 'vitest';
import { didYouMean, slipOf } from '../src/suggestion.ts';

const own = ['recipe', 'tags', 'priority', 'duplicates', 'webhook', 'batch', 'filename'];

it.each([
	['recpie', 'recipe'],
	['Recipe', 'recipe'],
	['recepie', 'recipe'],
	['recipes', 'recipe'],
	['ecipe', 'recipe'],
	['tag', 'tags'],
	['Tags', 'tags'],
	['tgas', 'tags'],
	['tag_s', 'tags'],
	['priorty', 'priority'],
	['duplicate', 'duplicates'],
	['web-hook', 'webhook'],
	['bacth', 'batch'],
	['batchs', 'batch'],
	['fileName', 'filename'],
])('%s is a slip of %s', (name, meant) => {
	expect(slipOf(name, own)).toBe(meant);
});

it.each([
	'caption',
	'title',
	'page',
	'path',
	'match',
	'watch',
	'data',
	'date',
	'author',
	'size',
	'user',
	'lastname',
	'標題',
	'',
])('%j is meant as it is', (name) => {
	expect(slipOf(name, own)).toBeUndefined();
});

it('settings are compared without what all of them begin with', () => {
	const settings = ['PICPIPE_HOST', 'PICPIPE_PORT'];
	expect(didYouMean('PICPIPE_PROT', settings)).toBe(' (did you mean PICPIPE_PORT?)');
	expect(didYouMean('PICPIPE_FOO', settings)).toBe('');
});
