/**
 * TypeDoc makes the site: the API from the doc comments, and the pages under docs/ beside it. This plugin names a page by its
 * first heading, as GitHub's readers see it, and builds the menu from navigation.mjs.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Converter, DefaultTheme, KindRouter, ReflectionKind } from 'typedoc';
import { NAVIGATION } from './navigation.mjs';

const DOCS = fileURLToPath(new URL('..', import.meta.url));

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, page) => {
    const [first] = page.content;
    const title = /^\s*# (.+)\n/.exec(first?.text ?? '');
    if (title) page.name = title[1].replaceAll('`', '');
  });
  app.renderer.defineTheme('tracewire', Theme);
  app.renderer.defineRouter('tracewire', Router);
}

/** A page's address is its file's, so that it stays when its heading changes. */
class Router extends KindRouter {
  /** @override @param {import('typedoc').Models.Reflection} reflection */
  getIdealBaseName(reflection) {
    return reflection.isDocument()
      ? fileOf(reflection)
          .replace(/^\.\.\//, '')
          .replace(/\.md$/, '')
      : super.getIdealBaseName(reflection);
  }
}

class Theme extends DefaultTheme {
  /** @override @param {import('typedoc').Models.ProjectReflection} project */
  buildNavigation(project) {
    const entries = new Map();
    for (const entry of super.buildNavigation(project)) entries.set(entry.path, entry);
    /** @type {Map<string, { text: string, path: string }>} file → entry */
    const pages = new Map();
    for (const page of project.documents ?? []) {
      const address = this.router.getFullUrl(page);
      pages.set(fileOf(page), { ...entries.get(address), text: page.name });
      entries.delete(address);
    }
    const sections = NAVIGATION.map(({ title, pages: listed, folder }) => ({
      text: title,
      children: (listed ?? filesIn(folder)).flatMap((file) => {
        const entry = pages.get(file);
        pages.delete(file);
        return entry ? [entry] : [];
      }),
    }));
    const more = { text: 'More', children: [...pages.values()] };
    const api = { text: 'API', kind: ReflectionKind.Project, children: [...entries.values()] };
    return [...sections, more, api].filter(({ children }) => children.length > 0);
  }
}

/** A page's file, from docs/ on. @param {import('typedoc').Models.Reflection} page */
function fileOf(page) {
  return path.relative(DOCS, page.project.files.getReflectionPath(page) ?? '');
}

/** @param {string} folder */
function filesIn(folder) {
  try {
    return readdirSync(path.join(DOCS, folder))
      .sort()
      .map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}
