# One changing script at a time on a server, whatever its callers believe: a script
# whose caller was lost, or was taken for lost, may still run when the next attempt
# begins.

# Reports whether a script changes something. Those that only observe are named Get.
# Invoke-SharePointTask leaves the change to the process of the task, which may outlive
# it, and which would wait for it in vain.
function Test-ChangingScript {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Name)

    return -not $Name.StartsWith('Get-', [System.StringComparison]::Ordinal) -and $Name -cne 'Invoke-SharePointTask'
}

# Returns the server's mutex, which this thread then holds. When a process ends, Windows
# releases what it held, and tells the next one that it was abandoned: each script
# observes before it changes anything, so what the process left half done is no reason
# to stop.
function Lock-Server {
    [CmdletBinding()]
    param()

    # Five seconds, and as many before them where another account has the mutex open,
    # which this one may not.
    foreach ($try in 1..20) {
        try { $mutex = Open-ServerMutex }
        catch [System.UnauthorizedAccessException] {
            Start-Sleep -Milliseconds 250
            continue
        }
        try { $held = Wait-ServerMutex -Mutex $mutex -Milliseconds 5000 }
        catch [System.Threading.AbandonedMutexException] { $held = $true }
        if ($held) { return $mutex }
        break
    }
    $message = 'another step of farmtrust runs on this server'
    $others = @(Get-OtherRun | Sort-Object -Property Since)
    if ($others.Count -gt 0) { $message += " since $(ConvertTo-UtcText -Time $others[0].Since) (process $($others[0].Id))" }
    Stop-Script -Id 'ServerBusy' -Message $message
}
