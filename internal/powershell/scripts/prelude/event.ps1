# The last errors of the event logs: what keeps a service from starting is in no
# cmdlet's error.

# Returns the last errors since a moment, newest first, at most three, each in one
# line of at most 300 characters. A log that is not there, or has no error, has none.
# Source: sharepointpain.com, 2025: why WACSM does not start is in the Application
# log. Office Online Server has a log of its own too.
function Get-LastError {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [datetime] $Since)

    $found = @(foreach ($log in 'Application', 'System', 'Microsoft Office Web Apps') {
        $filter = @{ LogName = $log; Level = 1, 2; StartTime = $Since }
        try { Get-WinEvent -FilterHashtable $filter -MaxEvents 3 }
        catch { continue }
    })
    $newest = @($found | Sort-Object -Property TimeCreated -Descending)
    for ($i = 0; $i -lt $newest.Count -and $i -lt 3; $i++) { ConvertTo-EventLine -Entry $newest[$i] }
}

# An event whose provider is not installed has no message.
function ConvertTo-EventLine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Entry)

    $text = ([string] $Entry.Message -replace '\s+', ' ').Trim()
    if ($text -eq '') { $text = "event $($Entry.Id)" }
    $line = "$(ConvertTo-UtcText -Time $Entry.TimeCreated) $($Entry.ProviderName): $text"
    if ($line.Length -gt 300) { $line = $line.Substring(0, 297) + '...' }
    return $line
}

# Returns the last errors of a day if one of these services does not run, or one of
# these responses is an error of the server, as that of a stopped application pool;
# else none.
function Get-ServiceError {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object[]] $Service,
        [object[]] $Response = @()
    )

    $failed = $false
    foreach ($record in $Service) { if (-not $record.running) { $failed = $true } }
    foreach ($one in $Response) { if ($one.status -ge 500) { $failed = $true } }
    if ($failed) { Get-LastError -Since (Get-MachineTime).AddDays(-1) }
}
