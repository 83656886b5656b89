import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { AnnotationSyntaxError, UnsafeXmlError } from '../errors.ts';
import { lineAt } from './lines.ts';

/** An element of an XML file. */
export interface XmlElement {
  name: string;
  /** Its own text, trimmed, with the five predefined entities and character numbers put in. */
  text: string;
  children: XmlElement[];
  /** Where it begins, in characters from the start of the file. */
  start: number;
}

/** Deepest nesting that is read; VOC needs five. */
const maxDepth = 32;

/** What the parser gives in ordered form: one key with the children, or `#text`. */
type OrderedNode = Record<string, unknown>;

const startOf = XMLParser.getMetaDataSymbol() as unknown as symbol;

/**
 * Parses XML to its root element. Attributes, comments and processing instructions are left out. A file with a document type
 * declaration is refused unread, so no entity is ever declared, expanded or fetched.
 *
 * @param file Name for error messages.
 * @throws UnsafeXmlError, AnnotationSyntaxError
 */
export function parseXml(text: string, file: string): XmlElement {
  refuseDoctype(text, file);
  const checked = XMLValidator.validate(text);
  if (checked !== true) throw invalid(file, checked.err.line, checked.err.msg);
  const parser = new XMLParser({
    preserveOrder: true,
    captureMetaData: true,
    processEntities: false,
    parseTagValue: false,
    trimValues: false,
    ignoreAttributes: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
    cdataPropName: '#cdata',
    maxNestedTags: maxDepth,
    jPath: false,
  });
  let nodes: OrderedNode[];
  try {
    nodes = parser.parse(text);
  } catch (cause) {
    throw invalid(file, undefined, (cause as Error).message, cause);
  }
  const root = nodes.map((node) => elementOf(node, text, file)).find((element) => element !== undefined);
  if (!root) throw invalid(file, undefined, 'there is no element');
  return root;
}

/** The children of an element that have a name. */
export const childrenNamed = ({ children }: XmlElement, name: string): XmlElement[] =>
  children.filter((child) => child.name === name);

/** The text of the first child of that name, or `undefined` if there is none. */
export const childText = (element: XmlElement | undefined, name: string): string | undefined =>
  element && childrenNamed(element, name)[0]?.text;

function elementOf(node: OrderedNode, source: string, file: string): XmlElement | undefined {
  const name = Object.keys(node).find((key) => key !== ':@');
  if (name === undefined || name.startsWith('#')) return undefined;
  const inside = node[name] as OrderedNode[];
  const start = (node[startOf as never] as { startIndex?: number } | undefined)?.startIndex ?? 0;
  const text = inside.map((child) => textOf(child, () => lineAt(source, start), file)).join('');
  const children = inside.flatMap((child) => elementOf(child, source, file) ?? []);
  return { name, text: text.trim(), children, start };
}

function textOf(node: OrderedNode, line: () => number, file: string): string {
  if ('#text' in node) return putEntities(String(node['#text']), line, file);
  const cdata = node['#cdata'] as OrderedNode[] | undefined;
  return cdata ? cdata.map((child) => String(child['#text'])).join('') : '';
}

const predefined = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function putEntities(text: string, line: () => number, file: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[^;\s&]{1,40});/gi, (whole, name: string) => {
    const code =
      name.startsWith('#x') || name.startsWith('#X')
        ? Number.parseInt(name.slice(2), 16)
        : Number(name.slice(1));
    const put = name.startsWith('#')
      ? code <= 0x10ffff
        ? String.fromCodePoint(code)
        : undefined
      : predefined.get(name);
    if (put === undefined) throw invalid(file, line(), `the entity ${whole} is not known`);
    return put;
  });
}

/** Wherever it stands, in a comment too: that is simpler to be sure of, and no annotation has one. */
function refuseDoctype(text: string, file: string): void {
  const found = text.search(/<!(?:DOCTYPE|ENTITY)/i);
  if (found >= 0) throw doctype(file, lineAt(text, found));
}

const doctype = (file: string, line: number): UnsafeXmlError =>
  new UnsafeXmlError(
    {
      what: 'has a document type declaration (<!DOCTYPE …>)',
      expected: 'annotations without one: it may name other files, or entities that grow without bound',
      fix: 'remove the declaration if you trust the file; entities it declares must be written out',
    },
    { file, line },
  );

function invalid(
  file: string,
  line: number | undefined,
  reason: string,
  cause?: unknown,
): AnnotationSyntaxError {
  // The parser lists all open tags, or quotes a line without end.
  const short = /^Invalid '\[/.test(reason) ? 'its tags are not closed' : reason.slice(0, 160);
  return new AnnotationSyntaxError(
    { what: `is no valid XML: ${short}`, fix: 'export it again, or remove it together with its image' },
    { file, line },
    { cause },
  );
}
