#!/usr/bin/python3
"""A file system that hands every call on to a folder: passthrough.py FOLDER MOUNT_POINT SWITCH.

While the file SWITCH is there, the file system is read-only. Stopped (SIGSTOP), it is a disk that hangs.
"""

import errno
import os
import sys

try:
    import fusepy as fuse  # the name in Debian
except ImportError:
    import fuse


CHANGES = ("create", "write", "fsync", "truncate", "mkdir", "rmdir", "unlink", "rename", "chmod", "chown", "utimens")


class Passthrough(fuse.Operations):
    def __init__(self, folder, switch):
        self.folder = folder
        self.switch = switch

    def __call__(self, operation, *arguments):
        if operation in CHANGES and os.path.exists(self.switch):
            raise fuse.FuseOSError(errno.EROFS)
        return super().__call__(operation, *arguments)

    def at(self, path):
        return os.path.join(self.folder, path.lstrip("/"))

    def getattr(self, path, fh=None):
        status = os.lstat(self.at(path))
        names = ("st_atime", "st_ctime", "st_mtime", "st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_blocks")
        return {name: getattr(status, name) for name in names}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def statfs(self, path):
        status = os.statvfs(self.at(path))
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_flag", "f_frsize", "f_namemax")
        return {name: getattr(status, name) for name in names}

    def open(self, path, flags):
        return os.open(self.at(path), flags)

    def create(self, path, mode, fi=None):
        return os.open(self.at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def truncate(self, path, length, fh=None):
        os.truncate(self.at(path), length)

    # The same names as in the module os.
    def read(self, path, size, offset, fh): return os.pread(fh, size, offset)
    def write(self, path, data, offset, fh): return os.pwrite(fh, data, offset)
    def fsync(self, path, datasync, fh): os.fsync(fh)
    def release(self, path, fh): os.close(fh)
    def mkdir(self, path, mode): os.mkdir(self.at(path), mode)
    def rmdir(self, path): os.rmdir(self.at(path))
    def unlink(self, path): os.unlink(self.at(path))
    def rename(self, old, new): os.rename(self.at(old), self.at(new))
    def chmod(self, path, mode): os.chmod(self.at(path), mode)
    def chown(self, path, uid, gid): os.chown(self.at(path), uid, gid)
    def utimens(self, path, times=None): os.utime(self.at(path), times)


# direct_io: no read is answered from the pages that the kernel keeps.
fuse.FUSE(Passthrough(sys.argv[1], sys.argv[3]), sys.argv[2], foreground=True, direct_io=True)
