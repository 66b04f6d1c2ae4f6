# The mutex that scripts hold while they change something. It exists while a process
# has it open, and leaves nothing behind.

# Opens the mutex, or creates it. Administrators and the system may use it, so that the
# account of one connection is not refused that of another. The account of the SharePoint
# task is no administrator: it creates the mutex, or is refused while another has it open.
# Source: Microsoft, Mutex(Boolean, String, Boolean, MutexSecurity).
function Open-ServerMutex {
    [CmdletBinding()]
    param()

    $security = New-Object System.Security.AccessControl.MutexSecurity
    foreach ($sid in 'S-1-5-18', 'S-1-5-32-544') {
        $account = New-Object System.Security.Principal.SecurityIdentifier $sid
        $security.AddAccessRule((New-Object System.Security.AccessControl.MutexAccessRule $account, 'FullControl', 'Allow'))
    }
    $created = $false
    return New-Object System.Threading.Mutex $false, 'Global\farmtrust', ([ref] $created), $security
}

# Reports whether this thread holds the mutex before the time has passed. A mutex that
# its last holder abandoned is held too, and is an exception.
# Source: Microsoft, AbandonedMutexException.
function Wait-ServerMutex {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [System.Threading.Mutex] $Mutex,
        [Parameter(Mandatory = $true)] [int] $Milliseconds
    )

    return $Mutex.WaitOne($Milliseconds)
}

# Releases the mutex, on the thread that holds it.
function Unlock-Server {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Threading.Mutex] $Mutex)

    $Mutex.ReleaseMutex()
    $Mutex.Dispose()
}

# Returns the other processes of farmtrust: number and start. One of them holds the
# mutex, or waits for it, or only observes. An account that is no administrator sees
# the command lines of its own processes only.
function Get-OtherRun {
    [CmdletBinding()]
    param()

    try { $processes = @(Get-CimInstance -ClassName Win32_Process -Filter "Name = 'powershell.exe'") }
    catch { return }
    foreach ($process in $processes) {
        $line = [string] $process.CommandLine
        $ours = $line.Contains(' -InputFormat Text -OutputFormat Text -EncodedCommand ') -or $line.Contains('farmtrust-sharepoint.ps1')
        if ($ours -and $process.ProcessId -ne $PID) { [pscustomobject] @{ Id = [int] $process.ProcessId; Since = $process.CreationDate } }
    }
}
