# Returns the certificate that a script is signed with, which must be the publisher's.
function Get-Publisher {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )

    $signer = Get-ValidSigner -Path $Path
    if ($null -eq $signer) {
        throw "$Path has no valid signature. Sign it with a certificate that this machine trusts; see the help of this script."
    }
    if ($signer.Thumbprint -ne $Thumbprint) {
        throw "$Path is signed by $($signer.Thumbprint) ($($signer.Subject)), and not by the publisher $Thumbprint. Do not use it before you know why."
    }
    return $signer
}

if (-not (Test-Administrator)) { throw 'Start Windows PowerShell as administrator.' }
$source = [System.IO.Path]::Combine($PSScriptRoot, 'farmtrust-sharepoint.ps1')
[void] (Get-Publisher -Path $source -Thumbprint $Publisher)
$sid = Get-AccountSid -Account $Account
$system = @{ Sid = 'S-1-5-18'; Rights = 'FullControl' }
$administrators = 'S-1-5-32-544'

$root = [System.IO.Path]::Combine($env:ProgramFiles, 'farmtrust')
Set-ClosedFolder -Path $root -Access $system, @{ Sid = $administrators; Rights = 'FullControl' }, @{ Sid = $sid; Rights = 'ReadAndExecute' }
Set-ClosedFolder -Path ([System.IO.Path]::Combine($root, 'requests')) -Access $system,
    @{ Sid = $administrators; Rights = 'Modify' }, @{ Sid = $sid; Rights = 'ReadAndExecute' }
Set-ClosedFolder -Path ([System.IO.Path]::Combine($root, 'results')) -Access $system,
    @{ Sid = $administrators; Rights = 'ReadAndExecute' }, @{ Sid = $sid; Rights = 'Modify' }

$installed = [System.IO.Path]::Combine($root, 'farmtrust-sharepoint.ps1')
[System.IO.File]::Copy($source, $installed, $true)
# The copy is checked, because the source may have changed meanwhile.
$signer = Get-Publisher -Path $installed -Thumbprint $Publisher
Add-TrustedPublisher -Certificate $signer

$program = "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe"
$argument = "-NoLogo -NoProfile -NonInteractive -ExecutionPolicy AllSigned -File `"$installed`""
$action = New-ScheduledTaskAction -Execute $program -Argument $argument
# For a managed service account, Password means that Windows manages the password.
$principal = New-ScheduledTaskPrincipal -UserId $Account -LogonType Password
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -MultipleInstances Queue -ExecutionTimeLimit ([timespan]::FromMinutes(30))
# -ErrorAction, because the cmdlet is a function of a module and does not see the
# preference of this script.
# Source: PowerShell/PowerShell, issue 4568.
Register-ScheduledTask -TaskName 'farmtrust-sharepoint' -TaskPath '\' -Action $action -Principal $principal -Settings $settings `
    -Force -ErrorAction Stop | Out-Null

[pscustomobject] @{
    Task = 'farmtrust-sharepoint'
    Account = $Account
    Script = $installed
    Version = (Get-ScriptHash -Path $installed).Substring(0, 12)
    Signer = [string] $signer.Subject
}
