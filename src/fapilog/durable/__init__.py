"""What the journal and the spool share: records on a disk that outlive the process that wrote them.

    <directory>/                                    given by the user
      <time>-<host>-<pid>-<random>/   0700          one for each process
        LOCK                          0600          locked while its owner lives; how far all is settled
        <number>.seg                  0600          records
      <…>.bad                                       what could not be read, kept for a person to look at

``frames`` is the format, ``directories`` makes private directories, each with one owner. The kernel gives up a lock
when its owner dies, so whoever can lock a directory has found a dead process's.
"""
