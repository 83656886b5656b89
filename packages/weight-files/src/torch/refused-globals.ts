import { PickleError } from './pickle-input.ts';
import type { PyGlobal } from './python-values.ts';

/** Modules of Python that run programs, open files or reach networks: no weight file has a use for them. */
const modules = new Set(
  `os posix nt subprocess commands popen2 pty shutil sys socket socketserver ssl http httplib urllib urllib2 requests ftplib smtplib
  telnetlib poplib imaplib xmlrpc webbrowser importlib imp runpy pkgutil zipimport code codeop ctypes cffi _ctypes multiprocessing
  threading _thread asyncio concurrent signal tempfile pickle _pickle cPickle dill cloudpickle joblib marshal shelve pdb bdb timeit
  cProfile profile trace pip setuptools distutils ensurepip venv sqlite3 linecache fileinput glob nntplib antigravity idlelib
  lib2to3 pydoc doctest platform resource mmap fcntl winreg _winreg msvcrt gc inspect atexit sched site`.split(
    /\s+/,
  ),
);

/** Functions of other modules that do the same. */
const functions = new Set(
  `eval exec execfile compile open input raw_input __import__ breakpoint apply setattr delattr globals locals vars reload help exit
  quit`
    .split(/\s+/)
    .flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`])
    .concat(
      `torch.load torch.hub.load torch.serialization.load torch.jit.load torch._inductor.codecache.compile_file numpy.load
      numpy.testing._private.utils.runstring numpy.core.shape_base.runstring io.open io.FileIO _io.open _io.FileIO codecs.open
      types.FunctionType types.CodeType types.LambdaType operator.methodcaller operator.attrgetter _operator.methodcaller
      _operator.attrgetter torch.utils.cpp_extension.load torch.utils._config_module.load_config
      torch.distributed.rpc.rpc_sync torch.jit.unsupported_tensor_ops.execWrapper`.split(/\s+/),
    ),
);

/**
 * Refuses a pickle that names what could only be meant to act. Nothing would be run in any case; but such a file is an attack, and
 * its weights are not to be trusted.
 *
 * @throws {@link PickleError}
 */
export function refuse(global: PyGlobal): void {
  const [root] = global.module.split('.');
  if (!modules.has(root!) && !functions.has(String(global))) return;
  throw new PickleError(`it asks for ${global}, which runs programs or opens files`);
}
